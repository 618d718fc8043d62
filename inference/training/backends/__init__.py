"""Where trainings run: `local` (a process of this machine), `ray` (a cluster)."""
