// @ts-check
import assert from "node:assert/strict";
import test from "node:test";
import { firstCrop, largestZoom, moveCrop, zoomCrop } from "../../web_client/crop.js";

const WIDE = { width: 400, height: 200 };
const TALL = { width: 300, height: 500 };

test("the first crop is as large as it can be, and nearer to the top of a tall picture", () => {
  assert.deepEqual(firstCrop(WIDE), { left: 100, top: 0, side: 200 });
  assert.deepEqual(firstCrop(TALL), { left: 0, top: 30, side: 300 });
});

test("zooming keeps the middle", () => {
  const crop = zoomCrop(firstCrop(WIDE), WIDE, 2);
  assert.deepEqual(crop, { left: 150, top: 50, side: 100 });
  assert.deepEqual(zoomCrop(crop, WIDE, 1), firstCrop(WIDE));
});

test("wherever it is dragged, a crop stays inside the picture", () => {
  let seed = 1;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  let crop = firstCrop(TALL);
  for (let turn = 0; turn < 500; turn += 1) {
    const shift = () => (random() - 0.5) * 1000;
    crop = random() < 0.5 ? moveCrop(crop, TALL, shift(), shift()) : zoomCrop(crop, TALL, 1 + random() * 4);
    assert.ok(crop.left >= 0 && crop.top >= 0 && crop.side >= 60, JSON.stringify(crop));
    assert.ok(crop.left + crop.side <= TALL.width + 1e-9, JSON.stringify(crop));
    assert.ok(crop.top + crop.side <= TALL.height + 1e-9, JSON.stringify(crop));
  }
});

test("a small picture cannot be zoomed until nothing is left", () => {
  assert.equal(largestZoom({ width: 640, height: 800 }, 160), 4);
  assert.equal(largestZoom({ width: 100, height: 100 }, 160), 1);
});
