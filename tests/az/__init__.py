"""An unmodified Azure CLI against the simulator; see `recipe.sh`."""
