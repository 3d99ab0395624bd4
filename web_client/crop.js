// @ts-check
/** Which square of a picture is used. Pure arithmetic. */

/** @typedef {{width: number, height: number}} Size */
/**
 * A square inside a picture.
 *
 * @typedef {object} Crop
 * @property {number} left  pixels of the picture
 * @property {number} top
 * @property {number} side
 */

/** Where a face usually is in an upright picture: this share of the spare height lies above. */
const SHARE_ABOVE = 0.15;

/** The largest square, placed where the face is likely. @param {Size} picture @returns {Crop} */
export function firstCrop({ width, height }) {
  const side = Math.min(width, height);
  return { left: (width - side) / 2, top: (height - side) * SHARE_ABOVE, side };
}

/**
 * Move a crop, and keep it inside the picture.
 *
 * @param {Crop} crop
 * @param {Size} picture
 * @param {number} right  pixels of the picture
 * @param {number} down
 * @returns {Crop}
 */
export function moveCrop({ left, top, side }, { width, height }, right, down) {
  return {
    left: clamp(left + right, 0, width - side),
    top: clamp(top + down, 0, height - side),
    side,
  };
}

/**
 * Zoom about the middle of the crop.
 *
 * @param {Crop} crop
 * @param {Size} picture
 * @param {number} zoom  1 shows the largest square
 * @returns {Crop}
 */
export function zoomCrop({ left, top, side }, picture, zoom) {
  const fresh = Math.min(picture.width, picture.height) / zoom;
  const spare = (side - fresh) / 2;
  return moveCrop({ left, top, side: fresh }, picture, spare, spare);
}

/** The largest zoom that leaves enough pixels for a face. @param {Size} picture @param {number} least_pixels */
export function largestZoom({ width, height }, least_pixels) {
  return Math.max(1, Math.min(width, height) / least_pixels);
}

/** @param {number} value @param {number} low @param {number} high */
function clamp(value, low, high) {
  return Math.min(Math.max(value, low), Math.max(low, high));
}
