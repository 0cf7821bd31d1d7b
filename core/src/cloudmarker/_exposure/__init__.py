"""Who can be reached from the Internet: machines, their ways in, and what guards them, from records of any cloud."""
