"""A command for every alternative of the sandbox's grammar; names are those of the fixture ``full``."""

from __future__ import annotations

READS = """
.show continuous-exports
.show continuous-export E
.show continuous-export E failures
.show continuous-export E exported-artifacts
.show cluster pending continuous-exports
.show external tables
.show external table Archive
.show external tables details
.show external table Archive details
.show external table Archive cslschema
.show external table Archive schema as csl
.show external table Archive schema as json
.show external table Archive artifacts
.show external table Archive principal roles
.show cluster principals
.show cluster principal roles
.show principal roles
.show database Telemetry principals
.show database Telemetry principal roles
.show table Events principals
.show table Events principal roles
.show function F principals
.show function F principal roles
.show cluster policy managed_identity
.show cluster policy callout
.show cluster policy caching
.show database Telemetry policy managed_identity
.show database Telemetry policy retention
.show database * policy retention
.show table Events policy retention
.show table Events policy ingestiontime
.show table * policy ingestiontime
.show table * policy caching
.show table * policy restricted_view_access
.show table * policy row_level_security
.show tables
.show tables (Events)
.show tables details
.show table Events
.show table Events details
.show table Events cslschema
.show table Events schema as json
.show functions
.show function F
.show databases
.show databases identity
.show databases details
.show databases policies
.show database identity
.show database details
.show database policies
.show databases entities
.show databases schema
.show databases (Telemetry) schema as json
.show database Telemetry schema
.show database Telemetry schema details
.show database Telemetry schema as json
.show database Telemetry schema as csl script
.show database Telemetry cslschema
.show database Telemetry schema violations
.show version
.show cluster
.show operations
.show journal
.show database Telemetry journal
.show cluster journal
.show capacity
.show capacity data-export
""".strip().split("\n")
WRITES = """
.alter table Events policy ingestiontime true
.alter database Telemetry policy retention "{}"
.alter cluster policy callout "[]"
.add database Telemetry viewers ('aaduser=a@b.c')
.add table Events admins ('aaduser=a@b.c')
.add function F admins ('aaduser=a@b.c')
.alter table Events folder 'x'
.alter-merge table Events (More:string)
.create tables A (x:string), B (x:string)
.drop table Events ifexists
.drop tables (Events) ifexists
.ingest inline into table Events <| 2024-01-01,a,b
.alter database Telemetry prettyname 'x'
.alter function F folder 'x'
.create function G() { Events }
.drop function F
.disable continuous-export E
.enable continuous-export E
.drop continuous-export E
.create external table N (a:string) kind=storage dataformat=csv ('https://x.blob.core.windows.net/c;k')
.create-or-alter external table N (a:string) kind=storage dataformat=csv ('https://x.blob.core.windows.net/c;k')
.create table A (x:string)
.create table A based-on Events
.create-merge table Events (More:string)
.alter table Events (Timestamp:datetime, Level:string)
.alter table Events docstring 'x'
.create-merge tables A (x:string), B (x:string)
.rename tables A=Events
.create-or-alter function F() { Events }
.alter function F() { Events }
.alter function F docstring 'x'
.drop functions (F) ifexists
.drop database Telemetry viewers ('aaduser=a@b.c')
.set database Telemetry viewers ('aaduser=a@b.c')
.drop database Telemetry prettyname
.alter-merge cluster policy callout "[]"
.delete cluster policy callout
.alter-merge database Telemetry policy managed_identity '[{"ObjectId":"system","AllowedUsages":"AutomatedFlows"}]'
.delete database Telemetry policy managed_identity
.alter-merge table Events policy retention "{}"
.delete table Events policy retention
.alter external table Archive (Timestamp:datetime, Level:string) kind=storage dataformat=parquet (h@'https://contosolake.dfs.core.windows.net/archive/events;impersonate')
.alter table Events column-docstrings (Level:'x')
.alter-merge table Events column-docstrings (Level:'x')
.drop table Events columns (Message)
.rename table Events to Happenings
.append Events <| Events
.drop external table Archive
""".strip().split("\n")
