/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Starts Lifeboat through its C header in load mode, as a node does; the environment names reporter, state and server. */
#include <lifeboat.h>

int peers_lifeboat_start(void);

int peers_lifeboat_start(void) {
    return lifeboat_start(&(lifeboat_options){LIFEBOAT_OPTIONS, .app = "host", .version = "1"});
}
