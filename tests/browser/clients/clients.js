/** Clients of WHIP and WHEP that others wrote, as one script for a page. */
export { WebRTCPlayer } from "@eyevinn/webrtc-player";
export { WHIPClient } from "@eyevinn/whip-web-client";
