// @ts-check
/** What the server tells during a call, put where it belongs on the page. */

/**
 * @param {import("./app.js").Parts} parts
 * @param {import("./control.js").Notice} notice
 * @param {() => void} end  leave the call, since the server has left it
 */
export function tell(parts, notice, end) {
  const { direction, stage, readout, status } = parts;
  direction.hear(notice);
  if (notice.type === "stats") {
    readout.showStats(notice);
    stage.showSpeech(notice.speaking);
  } else if (notice.type === "interrupted") {
    status.tell("status_interrupted", { seconds: Math.round(notice.position_s * 10) / 10 });
  } else if (notice.type === "ending") {
    status.tell("status_ending", { seconds: Math.round(notice.in_s), reason: notice.reason });
  } else if (notice.type === "closing") {
    end();
    status.tell("status_closing", { reason: notice.reason });
  }
}
