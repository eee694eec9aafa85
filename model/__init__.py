"""The network and how to use it. Imports torch and small libraries, nothing else of ours."""
