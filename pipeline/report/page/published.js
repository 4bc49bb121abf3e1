// Says when a newer version than the one of this page is published.
import { byId, h } from "./dom.js";
import { on, report } from "./data.js";
import { review } from "./decisions.js";
import { loadLatest } from "./sidecars.js";

const folder = (version) => String(version).padStart(6, "0");

function show() {
  const newer = review.latest > report.version;
  byId("newer").hidden = !newer;
  if (!newer || byId("newer").dataset.version === String(review.latest)) return;
  byId("newer").dataset.version = review.latest;
  // The review server opens the latest page at its root, and writes it if the build has not done so yet.
  const href = review.served ? "../../" : `../${folder(review.latest)}/index.html`;
  byId("newer").replaceChildren(`Version ${review.latest} is published: `, h("a", { href }, "open it"));
}

// A page from disk sees the file beside the reports that names the latest version. A page that was sent has none.
async function look() {
  if (review.served || report.root === "") return;
  const latest = await loadLatest().catch(() => report.version);
  if (latest > review.latest) review.latest = latest;
  show();
}

export function setUpPublished() {
  on("latest", show);
  show();
  look();
  addEventListener("focus", look);
}
