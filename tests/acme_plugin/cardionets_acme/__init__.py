"""An example plugin of cardionets, as its tutorial builds it; Acme and its data are made up."""
