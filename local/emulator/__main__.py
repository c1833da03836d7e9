"""Start the emulator (`python local/emulator`) after correcting where it differs from AWS.

It runs on the emulator's own interpreter and is therefore no part of the package beside it.
"""

import actions
import function_urls
import schedules
import step_functions
import transport
import unpacking
import workers
from ministack.app import main

actions.patch()
function_urls.patch()
schedules.patch()
step_functions.patch()
transport.patch()
unpacking.patch()
workers.patch()
main()
