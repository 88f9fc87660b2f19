(function () {
  "use strict";
  var root = document.documentElement;
  var button = document.getElementById("theme");
  function dark() {
    var chosen = root.getAttribute("data-theme");
    return chosen ? chosen === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
  }
  function say() { button.setAttribute("aria-pressed", String(dark())); }
  button.hidden = false;
  button.addEventListener("click", function () {
    root.setAttribute("data-theme", dark() ? "light" : "dark");
    say();
  });
  say();
  var links = {};
  document.querySelectorAll("nav a").forEach(function (a) { links[a.hash.slice(1)] = a; });
  var heads = Array.prototype.slice.call(document.querySelectorAll("main section[id]"));
  function mark() {
    var here = heads[0];
    heads.forEach(function (s) { if (s.getBoundingClientRect().top < 140) { here = s; } });
    Object.keys(links).forEach(function (id) {
      if (here && id === here.id) { links[id].setAttribute("aria-current", "location"); }
      else { links[id].removeAttribute("aria-current"); }
    });
  }
  window.addEventListener("scroll", mark, { passive: true });
  mark();
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (d) { d.open = true; });
  });
})();
