"use strict";

// A script of its own, not inline, so that the page works under a Content-Security-Policy with script-src 'self'.
(() => {
  const page = document.getElementById("docs");
  const here = document.currentScript.src;

  const ui = window.SwaggerUIBundle({
    domNode: page,
    url: new URL(page.dataset.openapiUrl, document.baseURI).href,
    // The default is the badge of a public validator, which would get the document's address.
    validatorUrl: null,
    // The default is derived from the page's path and is wrong when that does not end in a slash.
    oauth2RedirectUrl: new URL("oauth2-redirect.html", here).href,
    deepLinking: true,
    displayRequestDuration: true,
    onComplete: () => window.showTagTree(ui.specSelectors.specJson().toJS().tags ?? [], page),
  });
})();
