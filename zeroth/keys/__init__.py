"""Keys that people sign files with: answers, images, upgrade files; and the keys that a machine trusts."""
