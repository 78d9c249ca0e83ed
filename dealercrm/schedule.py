"""When the jobs run. The schedule is code: a change of it is reviewed like any other."""
