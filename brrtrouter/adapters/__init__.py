"""Compiled routing inside other frameworks: one module for each, imported only by those who use that framework.

An adapter never decides what a route means.  It compiles the shapes of the paths, finds with one match the few routes
that can answer a request, and lets the framework's own rules choose among them; what cannot be compiled goes to the
framework as before.
"""
