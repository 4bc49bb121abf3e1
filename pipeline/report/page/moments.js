// Comments at a time: a comment that begins with its moment, such as "[1.250 s] too loud", has a mark on the waveform.
import { h } from "./dom.js";
import { reviewOf } from "./decisions.js";
import { player, seek } from "./player.js";
import { reveal, view } from "./zoom.js";

const FORM = /^\[(\d{1,6}(?:\.\d{1,6})?) s\] ?/;

function momentOf(comment) {
  const found = FORM.exec(comment);
  return found ? Number(found[1]) : null;
}

// A comment has one moment: a new one replaces the old one.
export const stamped = (comment, seconds) => `[${seconds.toFixed(3)} s] ${comment.replace(FORM, "")}`;

// Seek, and show the place also in a zoom.
export function goTo(seconds) {
  seek(seconds);
  reveal(player.position);
}

// A comment with a link to its moment.
export function commentText(comment) {
  const moment = momentOf(comment);
  if (moment === null) return [comment];
  const label = FORM.exec(comment)[0].trim();
  return [h("button", { type: "button", class: "link moment", onclick: () => goTo(moment) }, label), ` ${comment.replace(FORM, "")}`];
}

// Marks of the sound that is shown: the master, or the candidate that waits.
export function marksOf(master, subject) {
  return reviewOf(master).events
    .filter((event) => event.subject === subject && momentOf(event.comment ?? "") !== null)
    .map((event) => {
      const moment = momentOf(event.comment);
      const text = `${moment.toFixed(3)} s, ${event.by || "unknown"}: ${event.comment.replace(FORM, "")}`;
      const mark = h("button", { type: "button", class: "mark", title: text, "aria-label": `Comment at ${text}`, onclick: () => goTo(moment) });
      return { moment, mark };
    });
}

export function placeMarks(marks) {
  for (const { moment, mark } of marks) {
    mark.hidden = moment < view.from || moment > view.to;
    mark.style.left = `${((moment - view.from) / (view.to - view.from)) * 100}%`;
  }
}
