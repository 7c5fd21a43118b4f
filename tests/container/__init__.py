"""The image, built and run as XNAT's Container Service runs it."""
