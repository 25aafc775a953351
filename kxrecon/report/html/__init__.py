"""Reports as one self-contained HTML page: no network, no inline handler, every name escaped.

``plan``, ``verify`` and ``status`` turn values into views and hand them to a template of the same name;
``page`` holds the templates' environment and the content-security policy.
"""
