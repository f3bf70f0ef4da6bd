"""Ansible on three machines of Debian with systemd, in namespaces. Started by `make test-machines` as root."""
