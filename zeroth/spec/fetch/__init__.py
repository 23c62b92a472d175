"""Answers from the network, by HTTPS, HTTP, TFTP and NFS: verified, tried again, limited in size."""
