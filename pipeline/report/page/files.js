// The delivered files of a master: copy the path, download, drag into another program.
import { announce, h } from "./dom.js";
import { report } from "./data.js";

const FROM_DISK = location.protocol === "file:";

// A copy that was made to send has only the file that the page plays.
const isThere = (item, master) => report.root !== "" || master.sound.includes(item.sha256);
const address = (item) => `${report.root}store/${item.sha256.slice(0, 2)}/${item.sha256}${item.suffix}`;

// In the library if there is one: quarantined masters and reports to send have no library.
function pathOf(path, item, master) {
  const inLibrary = report.root !== "" && !master.quarantined;
  const beside = inLibrary ? `library/latest/${path}` : address(item).slice(report.root.length);
  if (!FROM_DISK) return report.home ? `${report.home}/${beside}` : beside;
  const whole = decodeURIComponent(new URL(report.root + (inLibrary ? encodeURI(beside) : beside), location.href).pathname);
  return whole.replace(/^\/(?=[A-Za-z]:\/)/, "");
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    announce(`Copied: ${text}`);
    return true;
  } catch {
    announce("The browser does not allow this page to copy; select the path instead");
    return false;
  }
}

function fileItem(path, item, master) {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const url = new URL(address(item), location.href).href;
  const place = pathOf(path, item, master);
  const type = report.types[item.suffix] ?? "application/octet-stream";
  const link = h("a", {
    href: url, download: name, draggable: "true", target: FROM_DISK ? "_blank" : null,
    title: `${FROM_DISK ? "Open" : "Download"} ${name}, or drag it into another program`,
    ondragstart: (event) => {
      event.dataTransfer.effectAllowed = "copy";
      event.dataTransfer.setData("DownloadURL", `${type}:${name}:${url}`);
      event.dataTransfer.setData("text/uri-list", url);
      event.dataTransfer.setData("text/plain", place);
    },
  }, name);
  const shown = h("input", { class: "path", readonly: true, hidden: true, value: place, "aria-label": `Path of ${name}` });
  const copyPath = async () => {
    shown.hidden = await copy(place);
    if (!shown.hidden) shown.select();
  };
  return h("li", {}, link, ` ${(item.size / 1000).toFixed(item.size < 10000 ? 1 : 0)} kB `,
    h("button", { type: "button", class: "copy", title: place, "aria-label": `Copy the path of ${name}`, onclick: copyPath }, "Copy path"), shown);
}

export function fileItems(files, master) {
  return Object.entries(files).filter(([, item]) => isThere(item, master)).map(([path, item]) => fileItem(path, item, master));
}
