// @ts-check
/** The page: makes its parts and joins them. The only module that does anything when it is loaded. */
import { AccessField } from "./access.js";
import { CallPanel } from "./call_panel.js";
import { DirectionPanel } from "./direction_panel.js";
import { getDirections } from "./direction_parts.js";
import { byId } from "./dom.js";
import { Gallery } from "./gallery.js";
import { MicrophonePicker } from "./microphone_picker.js";
import { Problem } from "./problem.js";
import { Readout } from "./readout.js";
import { getConfig, getIce } from "./server.js";
import { Stage } from "./stage.js";
import { Status } from "./status.js";
import { StepList } from "./steps.js";
import { STRINGS, chooseLanguage, translate } from "./strings.js";
import { takeTicket } from "./ticket.js";
import { UploadForm } from "./upload.js";
import { Voice } from "./voice.js";

/**
 * What a call needs of the page.
 *
 * @typedef {object} Parts
 * @property {DirectionPanel} direction
 * @property {Gallery} gallery
 * @property {Voice} voice
 * @property {Stage} stage
 * @property {StepList} steps
 * @property {Readout} readout
 * @property {Status} status
 */

function startLanguages() {
  const choice = byId("language", HTMLSelectElement);
  choice.value = chooseLanguage(location.search, navigator.languages);
  const apply = () => translate(document, choice.value in STRINGS ? /** @type {"en" | "es"} */ (choice.value) : "en");
  choice.addEventListener("change", () => {
    const address = new URL(location.href);
    address.searchParams.set("lang", choice.value);
    history.replaceState(null, "", address); // a reload, or a link sent on, keeps the language
    apply();
  });
  apply();
}

function startPage() {
  const stage = new Stage();
  const status = new Status();
  const steps = new StepList();
  const readout = new Readout();
  readout.reset();
  const gallery = new Gallery((avatar) => {
    if (panel.isIdle) stage.showStill(avatar);
    else if (avatar) status.tell("portrait_next_call", { name: avatar.name });
  });
  const picker = new MicrophonePicker(() => void panel.changeMicrophone());
  const voice = new Voice(picker, steps, status);
  const direction = new DirectionPanel();
  const parts = { direction, gallery, voice, stage, steps, readout, status };
  const panel = new CallPanel(parts, getIce);
  new UploadForm((avatar) => void gallery.load(avatar.id));
  const access = new AccessField(() => void gallery.load());
  getConfig().then(({ needs_token }) => access.show(needs_token), () => access.show(false));
  void picker.refresh();
  void getDirections().then((directions) => direction.offer(directions), () => undefined);
  void gallery.load();
  if ("RTCPeerConnection" in window) {
    const kept = takeTicket(Date.now());
    if (kept) void panel.begin(kept); // the call that this page had before it was loaded again
  } else {
    byId("connect", HTMLButtonElement).disabled = true;
    status.fail(new Problem("error_no_webrtc"));
  }
}

startLanguages();
startPage();
