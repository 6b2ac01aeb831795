/** Which microphones and loudspeakers there are to choose from, and whether this browser lets a page choose. */

export interface Device {
  readonly id: string;
  readonly label: string;
}

export interface DeviceList {
  readonly inputs: readonly Device[];
  /** Empty where the browser plays on the system's loudspeaker only. */
  readonly outputs: readonly Device[];
}

export const NO_DEVICES: DeviceList = { inputs: [], outputs: [] };

/** Devices with names; browsers tell them once the microphone was allowed. */
export async function listDevices(): Promise<DeviceList> {
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (!devices) return NO_DEVICES;
  const found = await devices.enumerateDevices();
  const canRoute = "setSinkId" in HTMLMediaElement.prototype;
  return { inputs: named(found, "audioinput"), outputs: canRoute ? named(found, "audiooutput") : [] };
}

/** Be told when devices come and go. Returns the function that ends it. */
export function watchDevices(changed: () => void): () => void {
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  devices?.addEventListener("devicechange", changed);
  return () => devices?.removeEventListener("devicechange", changed);
}

/** Chromium lists the system's choice a second time, as "default"; an empty choice means the same. */
function named(found: readonly MediaDeviceInfo[], kind: MediaDeviceKind): Device[] {
  return found
    .filter((device) => device.kind === kind && device.label && device.deviceId && device.deviceId !== "default")
    .map((device) => ({ id: device.deviceId, label: device.label }));
}
