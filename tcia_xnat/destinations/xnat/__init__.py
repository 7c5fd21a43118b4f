"""An XNAT project as destination: what it holds, and what every archived session keeps beside its images."""
