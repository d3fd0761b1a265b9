"""The demo firm, Harbour Ltd, and the script that writes its call records; started by `make run`."""
