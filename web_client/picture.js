// @ts-check
/** Checking and reading the picture file that a person chose. */
import { Problem } from "./problem.js";

export const FILE_LIMIT_MB = 20;
export const LEAST_SIDE_PIXELS = 160;
const LIMIT_MEGAPIXELS = 120;
const BYTES_PER_MB = 1024 * 1024;

const TYPES = ["image/jpeg", "image/png", "image/webp", "image/bmp", "image/x-ms-bmp"];
const ENDINGS = /\.(jpe?g|png|webp|bmp)$/i;

/** Refuse what need not even be opened. @param {{name: string, type: string, size: number}} file */
export function checkFile({ name, type, size }) {
  const isPicture = type ? TYPES.includes(type) : ENDINGS.test(name);
  if (!isPicture) throw new Problem("error_file_type", { file: name });
  const megabytes = size / BYTES_PER_MB;
  if (megabytes > FILE_LIMIT_MB) {
    const rounded = Math.ceil(megabytes);
    throw new Problem("error_file_size", { file: name, size: rounded, limit: FILE_LIMIT_MB });
  }
}

/** Refuse what is too small to animate, or too large to hold. @param {{width: number, height: number}} size */
export function checkSize({ width, height }) {
  if (Math.min(width, height) < LEAST_SIDE_PIXELS) {
    throw new Problem("error_file_small", { width, height, limit: LEAST_SIDE_PIXELS });
  }
  const megapixels = Math.ceil((width * height) / 1e6);
  if (megapixels > LIMIT_MEGAPIXELS) {
    throw new Problem("error_file_huge", { size: megapixels, limit: LIMIT_MEGAPIXELS });
  }
}

/**
 * Open a picture file, upright as its EXIF data say.
 *
 * @param {File} file
 * @returns {Promise<HTMLImageElement>}
 */
export async function readPicture(file) {
  checkFile(file);
  const picture = new Image();
  const address = URL.createObjectURL(file);
  try {
    await loaded(picture, address);
    checkSize({ width: picture.naturalWidth, height: picture.naturalHeight });
    await picture.decode(); // so that it can be painted after its address is gone
  } catch (error) {
    throw error instanceof Problem ? error : new Problem("error_file_unreadable", { file: file.name });
  } finally {
    URL.revokeObjectURL(address);
  }
  return picture;
}

/** A name to begin with. @param {string} fileName */
export function nameFrom(fileName) {
  return fileName.replace(/\.[^.]*$/, "").replace(/[_-]+/g, " ").trim();
}

/** @param {HTMLImageElement} picture @param {string} address @returns {Promise<void>} */
function loaded(picture, address) {
  return new Promise((resolve, reject) => {
    picture.addEventListener("load", () => resolve(), { once: true });
    picture.addEventListener("error", () => reject(new Error("not a picture")), { once: true });
    picture.src = address;
  });
}
