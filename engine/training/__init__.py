"""Scripts that make the shipped weights. Nothing at run time imports them."""
