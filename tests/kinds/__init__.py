"""One data file is one case of a kind: what the spec says, what the services answer, what has to follow.

``tests/kinds/PLANE/KIND/NAME.yaml`` holds (everything but ``spec`` or ``desired`` is optional)::

    title: what the case shows
    scope: {identities, principals, targets, databases, directory: {attributes, symbols, accounts}, …}
    spec: {name: [Telemetry, EventsArchive], doc: {…}}      # or a list of them; doc is the entry as merged
    desired: [{name: […], fields: {…}, attributes: {…}, owner: …}]      # for kinds that are only derived
    answers:                                # kusto shorthand: text of the read → answer
      .show external tables: {columns: […], rows: [[…]]}
    #  or, for every plane: a list of {text, target?, arguments?, answer}
    #  an answer is {columns, rows}, {failure: denied, message, code}, {json: …} or the word ``empty``
    expect:
      problems: [part of the message, …]    # in order; also {message, path, remedy}
      desired: {field: value}               # of the first entity: these fields at least; tuples are lists
      observed: {LABEL: {field: value}}     # these at least; null where the entity must be absent
      attributes: {LABEL: {attribute: value}}
      readings: {LABEL: {name: value}}
      gaps: 1
      verdict: none                         # or create, update, delete; of the changes in order: a list
      changed: [field, …]
      unverifiable: [field, …]
      requests: [text or {plane, target, text, body, accepts, exclusive}]
      hazards: [name, …]
      notes: [part, …]
      cursor: [start of "label: reason", …]
      phases: [apply, …]

``!secret NAME`` is a secret leaf; leaves in requests are shown as ``«…»``.
"""
