"""Makes a freshly installed image into the host of its HostSpec, in ordered, resumable steps."""
