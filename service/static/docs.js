"use strict";
window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: false, // its links would lie inside buttons, which screen readers do not tell
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
