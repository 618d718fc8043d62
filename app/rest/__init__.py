"""The REST door: one file per noun; `door.RestDoor` plugs all of it into an application."""
