// @ts-check
/** The square preview in which a person places the face. What it shows is what is sent. */
import { firstCrop, largestZoom, moveCrop, zoomCrop } from "./crop.js";
import { byId } from "./dom.js";
import { LEAST_SIDE_PIXELS } from "./picture.js";

const SENT_LIMIT_PIXELS = 1920;
const JPEG_QUALITY = 0.95;
const KEY_STEP = 0.04; // of the crop's side
const ZOOM_LIMIT = 5;

/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
/** @type {Record<string, number>} */
const ZOOM_KEYS = { "+": 0.2, "-": -0.2 };

export class Cropper {
  #canvas = byId("upload-crop", HTMLCanvasElement);
  #zoom = byId("upload-zoom", HTMLInputElement);
  /** @type {HTMLImageElement | null} */
  #picture = null;
  #crop = { left: 0, top: 0, side: 0 };
  /** Where the picture was last held. */
  #grip = { clientX: 0, clientY: 0 };

  constructor() {
    this.#zoom.addEventListener("input", () => this.#zoomTo(this.#zoom.valueAsNumber));
    this.#canvas.addEventListener("keydown", (event) => this.#onKey(event));
    this.#canvas.addEventListener("pointerdown", (event) => {
      this.#canvas.setPointerCapture(event.pointerId);
      this.#grip = event;
    });
    this.#canvas.addEventListener("pointermove", (event) => this.#onDrag(event));
  }

  /** @param {HTMLImageElement | null} picture  null to forget the present one */
  show(picture) {
    this.#picture = picture;
    if (!picture) return;
    const size = sizeOf(picture);
    this.#crop = firstCrop(size);
    this.#zoom.max = String(Math.min(ZOOM_LIMIT, largestZoom(size, LEAST_SIDE_PIXELS)));
    this.#zoom.value = "1";
    this.#paint();
  }

  /** The square as a JPEG file. @returns {Promise<Blob>} */
  async toBlob() {
    const side = Math.round(Math.min(this.#crop.side, SENT_LIMIT_PIXELS));
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = side;
    this.#paintOn(canvas);
    return new Promise((resolve, reject) => {
      const take = (/** @type {Blob | null} */ blob) => (blob ? resolve(blob) : reject(new Error("empty picture")));
      canvas.toBlob(take, "image/jpeg", JPEG_QUALITY);
    });
  }

  /** @param {number} zoom */
  #zoomTo(zoom) {
    if (!this.#picture) return;
    this.#zoom.value = String(zoom); // the slider keeps it in range
    this.#crop = zoomCrop(this.#crop, sizeOf(this.#picture), this.#zoom.valueAsNumber);
    this.#paint();
  }

  /** @param {number} right  pixels of the picture @param {number} down */
  #move(right, down) {
    if (!this.#picture) return;
    this.#crop = moveCrop(this.#crop, sizeOf(this.#picture), right, down);
    this.#paint();
  }

  /** @param {PointerEvent} event */
  #onDrag(event) {
    if (!this.#canvas.hasPointerCapture(event.pointerId)) return;
    const scale = this.#crop.side / this.#canvas.clientWidth;
    const { clientX, clientY } = this.#grip;
    this.#grip = event;
    this.#move((clientX - event.clientX) * scale, (clientY - event.clientY) * scale);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const step = this.#crop.side * KEY_STEP;
    const [right, down] = ARROWS[event.key] ?? [0, 0];
    const zoom = ZOOM_KEYS[event.key] ?? 0;
    if (!right && !down && !zoom) return;
    event.preventDefault();
    if (zoom) this.#zoomTo(this.#zoom.valueAsNumber + zoom);
    else this.#move(right * step, down * step);
  }

  #paint() {
    this.#paintOn(this.#canvas);
  }

  /** @param {HTMLCanvasElement} canvas */
  #paintOn(canvas) {
    const context = canvas.getContext("2d");
    if (!context || !this.#picture) return;
    const { left, top, side } = this.#crop;
    context.fillStyle = "white"; // JPEG knows no transparency
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingQuality = "high";
    context.drawImage(this.#picture, left, top, side, side, 0, 0, canvas.width, canvas.height);
  }
}

/** @param {HTMLImageElement} picture */
const sizeOf = ({ naturalWidth, naturalHeight }) => ({ width: naturalWidth, height: naturalHeight });
