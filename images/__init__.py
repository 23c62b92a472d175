"""Builds the appliance: root image, ISO, netboot tree, manifest. Imports no other room."""
