/** Open a <dialog> over everything for as long as it is mounted. */

export function modal(close: () => void): (dialog: HTMLDialogElement) => () => void {
  return (dialog) => {
    const leave = (event: Event): void => {
      event.preventDefault();
      close();
    };
    const outside = (event: MouseEvent): void => {
      if (event.target === dialog) close();
    };
    dialog.addEventListener("cancel", leave);
    dialog.addEventListener("click", outside);
    dialog.showModal();
    return () => {
      dialog.removeEventListener("cancel", leave);
      dialog.removeEventListener("click", outside);
      dialog.close();
    };
  };
}
