"""The jobs: what each is asked to do, made of options."""
