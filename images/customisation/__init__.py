"""What a user changes about an image, in one file: ``zeroth-image.yaml``.

Most builds have none, and what reads it takes half a second to import: builds import these modules when there is one.
"""
