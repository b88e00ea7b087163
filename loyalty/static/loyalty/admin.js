// What Kantis adds to the admin's behaviour: buttons that ask before they act. Everything works without it.
"use strict";
document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});
