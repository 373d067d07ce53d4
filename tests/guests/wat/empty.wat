;; A component without exports: it loads, and has no tools.
(component)
