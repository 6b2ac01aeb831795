/** Entry of the console page: defines its elements. */

import "./orb.js";
import "./level_meter.js";
import "./transcript_view.js";
import "./fault_screen.js";
import "./sign_in.js";
import "./session_panel.js";
import "./sound_panel.js";
import "./tools_panel.js";
import "./events_panel.js";
import "./timing_panel.js";
import "./engines_panel.js";
import "./app.js";
