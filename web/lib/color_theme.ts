// Light or dark: what a person chose, or what their system says.

export type Theme = "system" | "light" | "dark";

/** Put the theme on the document; "system" follows the system from now on. Returns the function that stops following. */
export function applyTheme(theme: Theme): () => void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = (): void => {
    const dark = theme === "dark" || (theme === "system" && system.matches);
    document.documentElement.dataset["theme"] = dark ? "dark" : "light";
  };
  apply();
  system.addEventListener("change", apply);
  return () => system.removeEventListener("change", apply);
}
