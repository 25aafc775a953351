"""The sandbox's Kusto cluster: commands parsed by its own grammar, answered from the store.

``KustoService`` is the way in. The grammar files and every rule here were written from Microsoft's
documentation of the commands; nothing is shared with kxrecon's kinds, planes or quoting, so that a
misunderstanding there meets a second opinion here.

Stored documents of this package (see ``sandbox/store.py`` for the other kinds). ``db`` in a key is the name
as in the key of the ``database`` document.

``external_table`` (uri, db, name)
    ``name, kind`` (storage | delta | sql), ``columns [[name, type]…], folder, docString, created`` (ISO);
    storage and delta: ``dataFormat`` (lower-case), ``connections [{uri, auth, identity, account, container,
    path, scheme}…]`` (no secret is kept; ``auth``: impersonate | managed_identity | sas | key | token | aws |
    presigned | none; ``identity``: "system", an object id, or None), ``partitions [{name, type, function,
    column, argument}…]`` (``argument``: ticks of ``bin``, modulus of ``hash``), ``pathFormat [[text, "…"] |
    [name, P] | [datetime_pattern, "…", P] …]``, ``properties {compressed, compressionType, includeHeaders,
    namePrefix, fileExtension, encoding}`` as far as given;
    sql: ``table, connection {text, server, database, auth, identity, user}`` (``text`` has its passwords
    masked; ``auth``: impersonate | managed_identity | password), ``properties {createIfNotExists, primaryKey,
    fireTriggers, sqlDialect}``.
``continuous_export`` (uri, db, name)
    ``name, externalTable, query`` (secrets masked), ``over`` ([table…] or None when omitted), ``tables``
    ([[db, table]…], the resolved fact tables), ``properties {intervalBetweenRuns, forcedLatency`` (ticks),
    ``sizeLimit, distributed, distribution, distributionKind, parquetRowGroupSize, managedIdentity, …}`` as
    far as given, ``isDisabled, disabledBy`` (None | user | service), ``created`` (ISO), ``startCursor`` and
    ``cursor`` (decimal strings: rows with a greater sequence are new), ``lastRunTime, lastRunResult,
    exportedTo, lastSuccess, failingSince`` (ISO or None), ``isRunning``.
``rows`` (uri, db, table, sequence)
    the sequence is 20 digits, rises over the whole database and is never less than the clock's ticks.
``policy`` (uri, "cluster", name) | (uri, "database", db, name) | (uri, "table", db, table, name)
    ``{"policy": JSON}``.
``role`` (uri, "database", db, role, fqn) | (uri, "table" | "function" | "external_table", db, name, role, fqn)
    role as in the command (``viewers``), fqn in lower case; ``objectId, type, displayName, fqn, notes``.
``journal`` (uri, db, number) and ``kusto_operation`` (uri, id) hold what their ``.show`` lists.
"""
