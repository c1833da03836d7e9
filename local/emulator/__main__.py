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

actions.put_right()
function_urls.put_right()
schedules.put_right()
step_functions.put_right()
transport.put_right()
unpacking.put_right()
workers.put_right()
main()
