"""How far each live feed has been read."""
