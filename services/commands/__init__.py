"""The commands of `hilum`, one a module. A module's `register` adds it; what it needs is imported when it runs."""
