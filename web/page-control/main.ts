/** Entry of the page-control example: defines its elements. */

import { applyTheme } from "../lib/color_theme.js";
import "../console/orb.js";
import "../console/level_meter.js";
import "../console/fault_screen.js";
import "../console/sign_in.js";
import "./dock.js";

// The page's colours are the visitor's; the dock keeps to the light ones.
applyTheme("light");
