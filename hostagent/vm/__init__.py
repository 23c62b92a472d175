"""Virtual machines through libvirt's Xen driver: domains made from records, records kept true from domains."""
