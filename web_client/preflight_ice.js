// @ts-check
/** Which ways a browser finds with the help of which servers. */

const GATHERING_LIMIT_MS = 6000;

/**
 * The kinds of candidates found: "host", "srflx", "relay".
 *
 * @param {RTCConfiguration} network
 * @returns {Promise<Set<string>>}
 */
export function gatherCandidates(network) {
  const peer = new RTCPeerConnection(network);
  peer.createDataChannel("probe");
  /** @type {Set<string>} */
  const kinds = new Set();
  return new Promise((resolve) => {
    const finish = () => {
      peer.close();
      resolve(kinds);
    };
    peer.addEventListener("icecandidate", ({ candidate }) => {
      if (candidate?.type) kinds.add(candidate.type);
      else if (!candidate) finish();
    });
    window.setTimeout(finish, GATHERING_LIMIT_MS);
    void peer.setLocalDescription();
  });
}
