"""Reading MySQL and MariaDB and detecting what their indexes need."""
