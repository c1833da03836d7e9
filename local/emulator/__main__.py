"""Start the emulator (`python local/emulator`) after correcting where it differs from AWS.

It runs on the emulator's own interpreter and is therefore no part of the package beside it.
"""

import actions
import aliases
import call_logs
import changed
import concurrency
import conditions
import exec_wrappers
import function_reads
import function_urls
import log_statistics
import native_code
import networks
import principals
import properties
import quota
import redrive
import schedules
import stacks
import step_functions
import topics
import transport
import unpacking
import workers
from ministack.app import main

actions.patch()
aliases.patch()
call_logs.patch()
changed.patch()
concurrency.patch()
conditions.patch()
exec_wrappers.patch()
function_reads.patch()
function_urls.patch()
log_statistics.patch()
native_code.patch()
networks.patch()
principals.patch()
quota.patch()
redrive.patch()
schedules.patch()
stacks.patch()
step_functions.patch()
topics.patch()
transport.patch()
unpacking.patch()
workers.patch()
# Last, because it adds to what the others create.
properties.patch()
main()
