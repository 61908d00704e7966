"""The broker as a process: started, watched, reloaded and stopped as an operator would."""
