// Passkeys: form[data-passkey="create" or "get"]. Pressing its button fetches a question (data-question, a POST), asks
// the browser, and sends the answer with the form. What went wrong is said by its [data-said] lines. Nothing is stored.
(() => {
  "use strict";

  const say = (form, name) => {
    for (const line of form.querySelectorAll("[data-said]")) line.hidden = line.dataset.said !== name;
  };
  const known = () => typeof window.PublicKeyCredential?.parseRequestOptionsFromJSON === "function";

  const fetchQuestion = async (form) => {
    const headers = {
      "X-CSRFToken": form.elements.csrf_token.value,
      "HX-Request": "true", // so that who must first prove who they are is told where by a header
      "HX-Request-Type": "partial",
      "HX-Current-URL": location.href,
    };
    const answer = await fetch(form.dataset.question, { method: "POST", headers });
    const elsewhere = answer.headers.get("HX-Redirect");
    if (elsewhere) {
      location.assign(elsewhere);
      return null;
    }
    if (!answer.ok) throw new Error(`question: ${answer.status}`);
    return answer.json();
  };

  const askBrowser = (form, question) =>
    form.dataset.passkey === "create"
      ? navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(question) })
      : navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(question) });

  const mistakes = { NotAllowedError: "cancelled", AbortError: "cancelled", InvalidStateError: "there" };
  const answer = async (form) => {
    try {
      const question = await fetchQuestion(form);
      if (!question) return;
      const credential = await askBrowser(form, question);
      form.elements.credential.value = JSON.stringify(credential.toJSON());
      form.submit();
    } catch (error) {
      say(form, mistakes[error.name] ?? "failed");
    }
  };

  document.addEventListener("submit", (event) => {
    const form = event.target instanceof Element ? event.target.closest("form[data-passkey]") : null;
    if (!form) return;
    event.preventDefault();
    say(form, known() ? "" : "unknown");
    if (known()) answer(form);
  });
})();
